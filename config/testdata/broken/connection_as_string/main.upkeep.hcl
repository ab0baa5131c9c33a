connection "bastion" {
}

node "cp" {
  host       = "a"
  connection = "bastion"
}
