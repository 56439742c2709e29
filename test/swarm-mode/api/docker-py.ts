/** What users of docker-py do with swarm mode; DOCKER_HOST is a manager with one node. */
export const DOCKER_PY = `
import docker, os, time
from docker.types import (ConfigReference, EndpointSpec, Healthcheck, Mount, Resources, RestartPolicy,
                          SecretReference, ServiceMode, UpdateConfig)

def raises(kind, task):
    try:
        task()
    except kind as error:
        return error
    raise AssertionError('no ' + kind.__name__)

def until(what, test):
    end = time.monotonic() + 30
    while not test():
        assert time.monotonic() < end, what
        time.sleep(0.05)

c = docker.DockerClient(base_url=os.environ['DOCKER_HOST'], version='auto', timeout=30)
c.swarm.reload()
assert c.swarm.attrs['JoinTokens']['Worker'].startswith('SWMTKN-1-') and c.swarm.version
before = c.swarm.attrs['JoinTokens']
assert c.swarm.update(rotate_worker_token=True, task_history_retention_limit=7)
c.swarm.reload()
assert c.swarm.attrs['JoinTokens']['Worker'] != before['Worker']
assert c.swarm.attrs['JoinTokens']['Manager'] == before['Manager']
assert c.swarm.attrs['Spec']['Orchestration']['TaskHistoryRetentionLimit'] == 7
assert c.swarm.get_unlock_key() == {'UnlockKey': ''}
assert raises(docker.errors.APIError, lambda: c.swarm.init(advertise_addr='127.0.0.1')).status_code == 503

node, = c.nodes.list(filters={'role': 'manager'})
assert node.update({'Availability': 'active', 'Role': 'manager', 'Labels': {'disk': 'ssd'}})
node.reload()
assert node.attrs['Spec']['Labels'] == {'disk': 'ssd'} and c.nodes.list(filters={'name': 'nobody'}) == []

secret = c.secrets.create(name='py-secret', data=b'sweet', labels={'a': 'b'})
config = c.configs.create(name='py-config', data=b'plain')
assert [s.name for s in c.secrets.list(filters={'label': 'a=b'})] == ['py-secret']
config.reload()
assert config.attrs['Spec']['Data'] == 'cGxhaW4='

made = c.services.create(
    'busybox', ['sh', '-c', 'cat /run/secrets/it /it; echo; exec sleep 1000'], name='py', env=['A=b'], labels={'of': 'py'},
    container_labels={'in': 'py'}, constraints=['node.labels.disk==ssd'], workdir='/tmp', user='0', init=True,
    secrets=[SecretReference(secret.id, 'py-secret', filename='it')],
    configs=[ConfigReference(config.id, 'py-config', filename='/it')],
    mounts=[Mount('/kept', 'py-kept', type='volume')], stop_grace_period=1000000000,
    mode=ServiceMode('replicated', replicas=2), restart_policy=RestartPolicy('on-failure', delay=100000000),
    resources=Resources(mem_limit=64 << 20), endpoint_spec=EndpointSpec(mode='vip', ports={9091: (80, 'tcp', 'ingress')}),
    update_config=UpdateConfig(parallelism=2, delay=0, monitor=200000000, order='start-first', failure_action='rollback'),
    healthcheck=Healthcheck(test=['CMD', 'true'], interval=200000000))
def running():
    return [t for t in made.tasks(filters={'desired-state': 'running'}) if t['Status']['State'] == 'running']
until('two run', lambda: len(running()) == 2)
assert [s.id for s in c.services.list(filters={'name': 'py'})] == [made.id]
until('its words', lambda: b''.join(made.logs(stdout=True)).count(b'sweetplain') == 2)
made.reload()
assert made.scale(1)
until('one runs', lambda: len(running()) == 1)
made.reload()
first = running()[0]['ID']
assert made.force_update() == {'Warnings': None}
until('another runs', lambda: [t['ID'] for t in running()] not in ([], [first]))
def settled():
    made.reload()
    return made.attrs.get('UpdateStatus', {}).get('State') == 'completed'
until('the update is over', settled)
assert made.update(env=['A=c'], fetch_current_spec=True) == {'Warnings': None}
until('the next too', settled)
assert made.attrs['Spec']['TaskTemplate']['ContainerSpec']['Env'] == ['A=c']
assert made.attrs['PreviousSpec']['TaskTemplate']['ContainerSpec']['Env'] == ['A=b']
assert raises(docker.errors.APIError, secret.remove).status_code == 400
assert c.api.inspect_task(running()[0]['ID'])['ServiceID'] == made.id
assert len(c.api.tasks(filters={'service': 'py', 'node': node.id})) >= 3

network = c.networks.create('py-net', driver='overlay', attachable=True)
network.reload()
assert network.attrs['Scope'] == 'swarm' and network.attrs['Driver'] == 'overlay'
network.remove()

assert made.remove() and raises(docker.errors.NotFound, made.reload).status_code == 404
assert secret.remove() and config.remove()
for missing in (c.services.get, c.nodes.get, c.secrets.get, c.configs.get):
    assert raises(docker.errors.NotFound, lambda: missing('nobody')).status_code == 404
print('done')
`;
