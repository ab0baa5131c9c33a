variable "hosts" {
  type    = map(string)
  default = ["a"]
}

variable "typo" {
  type = strng
}

variable "n" {
  type     = number
  nullable = false
  default  = null
}

variable "secret" {
  type      = number
  sensitive = true
  default   = "s3cr3t"
}

variable "s" {
  default   = 1
  sensitive = "yes"
}

variable "r" {
  default = local.x
}
