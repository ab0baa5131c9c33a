connection "bastion" {
  port = "ssh"
}

node "cp3" {
  hots = "10.0.0.13"
}

# cp2 may be declared in the part of the other file that cannot be read, so nothing is said of it.
certs "x" {
  nodes        = [node.cp2, role("gpu")]
  renew_before = "a month"
}
