/** The door of the ensemble: the etcd that a swarm's managers run themselves. */
export { createEnsembleCa, type EnsembleCa } from './authority.ts';
export { runCare, type CareOptions } from './care.ts';
export { followMembers, type FollowOptions } from './follow-members.ts';
export { findEtcd, type EtcdProgram } from './find-etcd.ts';
export { prepareFirst, prepareJoining, type Admission, type NewMember } from './found.ts';
export { LocalMember, type LocalMemberOptions } from './local-member.ts';
export { MemberFolder, type MemberConfig } from './member-folder.ts';
export {
  admitMember,
  listMembers,
  promoteMember,
  removeMember,
  setPeerUrl,
  type MemberInfo,
  type MembersAsked,
} from './members.ts';
export { runPromotion, type PromotionOptions } from './promote-learners.ts';
export {
  clientUrl,
  endpointOf,
  localEndpoint,
  peerUrl,
  USUAL_PORTS,
  type MemberPlace,
  type Ports,
} from './places.ts';
export { forgetHistory, type RoomOptions } from './room.ts';
export { tellPeerUrl, type TellOptions } from './tell-peer-url.ts';
export {
  ensembleStatus,
  type EnsembleStatus,
  type MemberAnswer,
  type MemberHealth,
  type StatusAsked,
} from './status.ts';
