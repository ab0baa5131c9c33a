node "cp1" {
  host = "a"
}

node "cp" {
  for_each = { cp1 = "b", cp2 = "c" }
  host     = each.value
}
