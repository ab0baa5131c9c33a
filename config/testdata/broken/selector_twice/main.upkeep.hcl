nodes "gpu" {
  selector = "gpu=yes"
  from_kubernetes {
    selector = "gpu=yes"
  }
}
nodes "all" {
  selector = ""
}
