upkep {
}

node "cp" {
  hots = "a"
  roles = rolse
}

connection "a" {
  port = "x"
  acess = "full"
}

certs "x" {
  nodes = role("nobody")
  layuot = "auto"
}
