upkeep {
  required_version = ">= 0.1"
}

include {
  files = ["gpu/*.upkeep.hcl"]
}

state "local" {
  path = "upkeep.state.json"
}

variable "gpu_prices" {
  type    = map(number) # USD per GPU and month
  default = { v100 = 95, "h100.80Gi.sxm" = 1060 }
}

cluster {
  kubeconfig = "~/.kube/config"
}

connection "bastion" {
  user         = "ops"
  become       = true
  proxy_jump   = "ops@bastion.example.net"
  known_hosts  = "known_hosts"
  max_sessions = 8
}

node "cp" {
  for_each   = { cp1 = "10.0.0.11", cp2 = "10.0.0.12", cp3 = "10.0.0.13" }
  host       = each.value
  roles      = ["control-plane", "etcd"]
  primary    = each.key == "cp1"
  connection = connection.bastion
}

certs "control_plane" {
  layout       = "auto"
  nodes        = role("control-plane")
  renew_before = "30d"
  kubeconfigs  = ["/root/.kube/config"]
  prices       = var.gpu_prices
  window       = "always"

  store "file" {
    path = "backups"
  }
  keep {
    daily = 30
  }
}
