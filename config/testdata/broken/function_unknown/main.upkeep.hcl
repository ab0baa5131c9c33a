locals {
  a = uper("x")
  b = file("missing.txt")
  c = env("NOT_SET_ANYWHERE")
  d = role()
  e = duration("1 day")
}
