import { archiveOf } from '../hosts/index.ts';

/** Makes the system tables where there are none, as MariaDB's own image does, and lets root in from anywhere. */
const ENTRY = `#!/bin/sh
set -e
cd /usr/share/mysql
if [ ! -d /var/lib/mysql/mysql ]; then
  {
    # A statement a line.
    printf '%s\\n' 'CREATE DATABASE mysql;' 'USE mysql;' 'SET @auth_root_socket=NULL;'
    cat mysql_system_tables.sql mysql_performance_tables.sql mysql_system_tables_data.sql
    echo 'FLUSH PRIVILEGES;'
    echo "CREATE USER root@'%' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';"
    echo "GRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION;"
  } | mariadbd --defaults-file=/etc/mysql/my.cnf --bootstrap
fi
exec mariadbd --defaults-file=/etc/mysql/my.cnf
`;

/** Small, so that it starts quickly. */
const CONFIG = `[mysqld]
user = root
datadir = /var/lib/mysql
socket = /tmp/mysqld.sock
pid-file = /tmp/mysqld.pid
skip-name-resolve
innodb-buffer-pool-size = 16M
innodb-log-file-size = 8M
!includedir /etc/mysql/conf.d/
`;

/** `mariadb:10.1`, with Debian's server behind the name that the guide uses: its archive. */
export function mariadbArchive(): Promise<string> {
  const source = {
    tags: ['mariadb:10.1'],
    files: {
      'usr/local/bin/mariadb-entry': ENTRY,
      'etc/mysql/my.cnf': CONFIG,
      'etc/mysql/conf.d/.keep': '',
      'var/lib/mysql/.keep': '',
    },
    fromHere: [
      '/usr/sbin/mariadbd',
      '/usr/share/mysql/english',
      '/usr/share/mysql/charsets',
      '/usr/share/mysql/mysql_system_tables.sql',
      '/usr/share/mysql/mysql_performance_tables.sql',
      '/usr/share/mysql/mysql_system_tables_data.sql',
    ],
    command: ['mariadb-entry'],
    port: 3306,
  };
  return archiveOf('mariadb', [source]);
}
