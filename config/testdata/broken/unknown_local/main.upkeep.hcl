locals {
  hosts = {}
}

node "cp" {
  for_each = local.host
  host     = each.value
}
