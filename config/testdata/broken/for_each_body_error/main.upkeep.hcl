node "cp" {
  for_each = { a = 1, b = 2, c = 3 }
  host     = "10.0.0.${each.value}"
  roles    = each.vlaue
}
