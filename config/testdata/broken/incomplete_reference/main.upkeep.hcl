locals {
  a = var
  b = local
  c = node
  d = node[*]
}
