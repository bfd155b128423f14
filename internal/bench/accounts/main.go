// Command accounts serves many embedded accounts on one loopback address, each with
// the flows of one account file. The SIDs of the accounts count up from that of the
// file, AC0…01, and the credentials of a request say which one it is for.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"flexsync/internal/emulator"
)

func main() {
	n := flag.Int("n", 1, "how many accounts")
	seed := flag.String("seed", "", "the account file")
	latency := flag.Duration("latency", 0, "delay of each answer")
	flag.Parse()

	data, err := os.ReadFile(*seed)
	if err != nil {
		log.Fatal(err)
	}
	sid := func(i int) string { return fmt.Sprintf("AC%032x", i) }
	accounts := make(map[string]http.Handler, *n)
	for i := 1; i <= *n; i++ {
		data := bytes.ReplaceAll(data, []byte(sid(1)), []byte(sid(i)))
		if accounts[sid(i)], err = emulator.New(emulator.Options{Seed: data, Latency: *latency}); err != nil {
			log.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		account, ok := accounts[user]
		if !ok {
			http.NotFound(w, r)
			return
		}
		account.ServeHTTP(w, r)
	})))
}
