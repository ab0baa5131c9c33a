locals {
  nothing = null
}

node "cp" {
  host = "a-${local.nothing}"
}

node "b" {
  host = { a = 1 }.b
}
