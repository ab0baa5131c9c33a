node "cp" {
  host = each.value
}
