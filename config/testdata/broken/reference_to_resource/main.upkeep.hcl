node "cp" {
  host = "a"
}

certs "x" {
  nodes = node.cp
  after = certs.z
}

certs "y" {
  nodes = node.cp
  after = cert.x
}

certs "zz" {
  nodes = certs.x
  after = "certs.x"
}
