// Command accounts serves many embedded accounts on one loopback address, each with
// the flows of one account file. The SIDs of the accounts count up from that of the
// file, AC0…01, and the credentials of a request say which one it is for. What is
// measured runs on the same machine, so an answer is made once, and then repeated:
// it is for clients that only read.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

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
		if accounts[sid(i)], err = emulator.New(emulator.Options{Seed: data}); err != nil {
			log.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	var answers sync.Map // of [httptest.ResponseRecorder], by account and URL
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after := time.After(*latency)
		user, _, _ := r.BasicAuth()
		account, ok := accounts[user]
		if !ok || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		key := user + r.URL.String()
		answer, ok := answers.Load(key)
		if !ok {
			recorder := httptest.NewRecorder()
			account.ServeHTTP(recorder, r)
			answer, _ = answers.LoadOrStore(key, recorder)
		}
		<-after
		recorded := answer.(*httptest.ResponseRecorder)
		maps.Copy(w.Header(), recorded.Header())
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
	})))
}
