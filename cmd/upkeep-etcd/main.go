// Command upkeep-etcd proves and restores etcd snapshots: one request on standard input, one answer on standard output.
//
// upkeep starts it; nobody types it. It is a program of its own because it links etcd's server, which upkeep would
// otherwise pay for at every start, and because a damaged database may crash what reads it. It ends when standard input
// does, and removes what it wrote.
package main

import (
	"context"
	"fmt"
	"os"

	"upkeep/providers/etcd/restore"
)

// version is set by the linker.
var version = "0.1.0-dev"

func main() {
	if len(os.Args) > 1 {
		if len(os.Args) == 2 && os.Args[1] == "-version" {
			fmt.Println("upkeep-etcd", version)
			return
		}
		fmt.Fprintln(os.Stderr, "upkeep-etcd: upkeep starts this program; it takes no arguments but -version")
		os.Exit(1)
	}
	if err := restore.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "upkeep-etcd:", err)
		os.Exit(1)
	}
}
