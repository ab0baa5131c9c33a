locals {
  hosts = {}
}

node "cp" {
  for_each = local.hosts
  host     = each.value
}

certs "x" {
  nodes = node.cp
}

certs "y" {
  nodes = []
}
