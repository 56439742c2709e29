#!/bin/sh
# The agents' page in examples/stack.yml: that of one of the web servers.
printf 'Content-Type: text/html\r\n\r\n'
wget -qO- http://web/
