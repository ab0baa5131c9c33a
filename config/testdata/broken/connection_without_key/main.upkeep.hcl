connection "bastion" {
  for_each = toset(["fra", "ams"])
  proxy_jump = "${each.key}.example.net"
}

node "cp" {
  host       = "a"
  connection = connection.bastion
}
