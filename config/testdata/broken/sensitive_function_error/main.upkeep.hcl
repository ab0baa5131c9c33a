variable "token" {
  type      = string
  default   = "s3cr3t"
  sensitive = true
}

locals {
  a = tonumber(var.token)
  b = upper(var.token, 1)
  c = duration(lower(var.token))
  d = duration("three days")
}
