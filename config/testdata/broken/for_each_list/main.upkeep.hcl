node "cp" {
  for_each = ["a", "b"]
  host     = each.value
}

node "x" {
  for_each = "a"
  host     = "b"
}

node "y" {
  for_each = null
  host     = "b"
}

node "z" {
  for_each = { "" = 1 }
  host     = "b"
}
