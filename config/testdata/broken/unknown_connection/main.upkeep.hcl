connection "bastion" {
}

node "cp" {
  host       = "a"
  connection = connection.bation
}

node "cp2" {
  host       = "b"
  connection = connections.bastion
}
