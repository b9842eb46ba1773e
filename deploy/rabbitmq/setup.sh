#!/bin/sh
# Virtual host and user of the doorbell; run once, on one node. Asks for the password.
#
# No policy is needed: the broker declares its 16 queues with all that they need. A policy that
# mirrors (ha-mode) or expires (message-ttl, expires) them should not match ^xoev-broker\.
set -eu

vhost=${1:-xoev}
user=${2:-xoev-broker}

rabbitmqctl add_vhost "$vhost"
rabbitmqctl add_user "$user"
# Only its own queues, and the default exchange (amq.default) that it rings through.
rabbitmqctl set_permissions -p "$vhost" "$user" \
    '^xoev-broker\..*' '^(xoev-broker\..*|amq\.default)$' '^xoev-broker\..*'
