include {
  files = ["gone.upkeep.hcl", "notes.txt", "[.upkeep.hcl"]
}

include {
  files = "x.upkeep.hcl"
}

include {
  files = [var.x]
}

include {
}
