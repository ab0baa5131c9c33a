node "cp" {
  for_each = { cp1 = "a", cp2 = "b" }
  host     = each.value
}

node "single" {
  host = "c"
}

certs "x" {
  nodes = [node.cp["cp3"], node.single["a"], node.single.host, node.cp["cp1"].host]
}
