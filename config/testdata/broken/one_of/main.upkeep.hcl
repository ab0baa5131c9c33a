connection "a" {
  transport = "shh"
  access    = "everything"
}

nodes "x" {
  address = "internalip"
  from_kubernetes {
    selector = "a"
  }
}
