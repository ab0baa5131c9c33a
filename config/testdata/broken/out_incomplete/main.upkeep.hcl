node "n" {
  host = "h"
}
out "n" {
  reason = "RMA 1234"
}
