node "cp" {
  for_each = { cp1 = "a", cp2 = "b" }
  host     = each.value
  primary  = true
}
