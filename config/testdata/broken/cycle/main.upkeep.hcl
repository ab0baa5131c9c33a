locals {
  a = local.b
  b = concat(local.c, ["x"])
  c = [local.a]
  d = local.d
}
