node "a" {
  for_each = node.b
  host     = "x"
}

node "b" {
  for_each = node.a
  host     = "y"
}
