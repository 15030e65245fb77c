// etcd_load - a closed loop of clients against etcd, as redis-benchmark makes one against Redis.
//
//	etcd_load ENDPOINTS put|get CLIENTS REQUESTS KEYS VALUE-SIZE
//
// Prints one line: requests a second, then p50, p99, p99.9 and the longest, in milliseconds. `get` is
// etcd's default, linearizable.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
)

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		fmt.Fprintf(os.Stderr, "etcd_load: a number is wanted, not %s\n", text)
		os.Exit(2)
	}
	return value
}

// One client: its share of the requests, one after another on a connection of its own.
func client(endpoint string, put bool, requests, keys int, value string, seed int64) ([]time.Duration, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	random := rand.New(rand.NewSource(seed))
	took := make([]time.Duration, 0, requests)
	for i := 0; i < requests; i++ {
		key := fmt.Sprintf("key:%012d", random.Intn(keys))
		begin := time.Now()
		if put {
			_, err = c.Put(context.Background(), key, value)
		} else {
			_, err = c.Get(context.Background(), key)
		}
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}

func main() {
	if len(os.Args) != 7 {
		fmt.Fprintln(os.Stderr, "usage: etcd_load ENDPOINTS put|get CLIENTS REQUESTS KEYS VALUE-SIZE")
		os.Exit(2)
	}
	endpoints := strings.Split(os.Args[1], ",")
	clients, requests := number(os.Args[3]), number(os.Args[4])
	keys, value := number(os.Args[5]), strings.Repeat("x", number(os.Args[6]))
	share := (requests + clients - 1) / clients
	var all []time.Duration
	var failed error
	var lock sync.Mutex
	var group sync.WaitGroup
	begin := time.Now()
	for i := 0; i < clients; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			took, err := client(endpoints[i%len(endpoints)], os.Args[2] == "put", share, keys, value, int64(i))
			lock.Lock()
			defer lock.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
			}
		}(i)
	}
	group.Wait()
	elapsed := time.Since(begin)
	if failed != nil {
		fmt.Fprintf(os.Stderr, "etcd_load: %v\n", failed)
		os.Exit(1)
	}
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	at := func(part float64) float64 {
		return float64(all[int(part*float64(len(all)-1))].Microseconds()) / 1000
	}
	fmt.Printf("%.1f %.3f %.3f %.3f %.3f\n", float64(len(all))/elapsed.Seconds(), at(0.5), at(0.99), at(0.999), at(1))
}
