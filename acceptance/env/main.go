// Command env is all that the image of a test's pod holds: it prints its environment as env(1) does, and as `env wait` it
// is what such a pod runs until it is told to end.
//
// It is no shell and runs no other command. What it prints is what the kubelet gave the container, so that a test sees
// what a running pod has instead of concluding it.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	switch {
	case len(os.Args) == 1:
		for _, variable := range os.Environ() {
			fmt.Println(variable)
		}
	case len(os.Args) == 2 && os.Args[1] == "wait":
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGINT, syscall.SIGTERM)
		<-told
	default:
		fmt.Fprintln(os.Stderr, "usage: env [wait]")
		os.Exit(2)
	}
}
