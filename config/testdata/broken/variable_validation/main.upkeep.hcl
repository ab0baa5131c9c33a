variable "region" {
  default = "mars"
  validation {
    condition     = contains(["fra", "ams"], var.region)
    error_message = "A region is fra or ams."
  }
}

variable "size" {
  default = 3
  validation {
    condition     = var.size
    error_message = "odd"
  }
}

variable "token" {
  default   = "s3cr3t"
  sensitive = true
  validation {
    condition     = length(var.token) > 10
    error_message = "${var.token} is too short."
  }
}
