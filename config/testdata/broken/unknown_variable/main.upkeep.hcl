variable "region" {
  default = "fra"
}

locals {
  a = var.regoin
  b = var.zone
  c = variable.region
}
