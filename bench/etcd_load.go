// etcd_load - a closed loop of clients against etcd, as redis-benchmark makes one against Redis.
//
//	etcd_load ENDPOINTS put|get CLIENTS REQUESTS KEYS VALUE-SIZE
//
// All clients go to the leader, as they do with the others. Each dials and makes one request that is
// not counted; the clock starts once all of them have.
//
// Prints one line: requests a second, then p50, p99, p99.9 and the longest, in milliseconds. `get` is
// etcd's default, linearizable.
package main

import (
	"context"
	"errors"
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

// The endpoint of the member that leads.
func leader(endpoints []string) (string, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second})
	if err != nil {
		return "", err
	}
	defer c.Close()
	for try := 0; try < 10; try++ {
		for _, endpoint := range endpoints {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			status, err := c.Status(ctx, endpoint)
			cancel()
			if err == nil && status.Leader != 0 && status.Leader == status.Header.MemberId {
				return endpoint, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return "", errors.New("no member leads")
}

// What all clients share: what they ask, and the barrier between getting ready and being measured.
type load struct {
	endpoint       string
	put            bool
	requests, keys int
	value          string
	ready          sync.WaitGroup
	start          chan struct{}
}

// One client: its share of the requests, one after another on a connection of its own.
func (l *load) client(seed int64) ([]time.Duration, error) {
	random := rand.New(rand.NewSource(seed))
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{l.endpoint}, DialTimeout: 5 * time.Second})
	one := func() error {
		key := fmt.Sprintf("key:%012d", random.Intn(l.keys))
		if l.put {
			_, err := c.Put(context.Background(), key, l.value)
			return err
		}
		_, err := c.Get(context.Background(), key)
		return err
	}
	if err == nil {
		defer c.Close()
		err = one()
	}
	l.ready.Done()
	<-l.start
	took := make([]time.Duration, 0, l.requests)
	for i := 0; i < l.requests && err == nil; i++ {
		begin := time.Now()
		err = one()
		took = append(took, time.Since(begin))
	}
	return took, err
}

func main() {
	if len(os.Args) != 7 {
		fmt.Fprintln(os.Stderr, "usage: etcd_load ENDPOINTS put|get CLIENTS REQUESTS KEYS VALUE-SIZE")
		os.Exit(2)
	}
	clients, requests := number(os.Args[3]), number(os.Args[4])
	keys, value := number(os.Args[5]), strings.Repeat("x", number(os.Args[6]))
	l := load{put: os.Args[2] == "put", requests: (requests + clients - 1) / clients, keys: keys, value: value,
		start: make(chan struct{})}
	var err error
	if l.endpoint, err = leader(strings.Split(os.Args[1], ",")); err != nil {
		fmt.Fprintf(os.Stderr, "etcd_load: %v\n", err)
		os.Exit(1)
	}
	var all []time.Duration
	var failed error
	var lock sync.Mutex
	var group sync.WaitGroup
	for i := 0; i < clients; i++ {
		group.Add(1)
		l.ready.Add(1)
		go func(i int) {
			defer group.Done()
			took, err := l.client(int64(i))
			lock.Lock()
			defer lock.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
			}
		}(i)
	}
	l.ready.Wait()
	begin := time.Now()
	close(l.start)
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
