cluster {
  kubeconfig = "a"
}

cluster {
  kubeconfig = "b"
}

connection "a" {
}

connection "a" {
}

certs "x" {
  nodes = role("a")
  keep {
    daily = 1
  }
  keep {
    daily = 2
  }
}

certs "x" {
  nodes = role("a")
}

variable "v" {
  default = 1
}

variable "v" {
  default = 1
}

locals {
  l = 1
}

locals {
  l = 2
}
