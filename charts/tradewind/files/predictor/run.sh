set -eu
# A certificate that is renewed in its Secret is here within a minute or two (the kubelet's time); haproxy then reads it
# for new connections, and goes on with the one before where it can't be read.
pair() { cat /etc/tradewind/tls/tls.crt /etc/tradewind/tls/tls.key | cksum; }
seen=$(pair)
(while sleep 10; do
  now=$(pair)
  [ "$now" = "$seen" ] || { seen=$now && kill -USR2 $$; }
done) &
exec haproxy -W -db -f /etc/tradewind/proxy/haproxy.cfg
