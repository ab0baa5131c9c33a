variable "hosts" {
  default   = { a = "b" }
  sensitive = true
}

node "cp" {
  for_each = var.hosts
  host     = each.value
}
