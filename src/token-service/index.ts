export { Registrations } from './registrations.ts';
export { keepSwept } from './sweep.ts';
export { tokenService } from './token-service.ts';
