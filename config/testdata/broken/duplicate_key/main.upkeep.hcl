node "cp" {
  for_each = {
    cp1 = "10.0.0.1"
    cp2 = "10.0.0.2"
    "cp1" = "10.0.0.3"
  }
  host = each.value
}
