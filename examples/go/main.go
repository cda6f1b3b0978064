// A KV cache over memcache-gateway, with the standard library only.
//
//	go run main.go          GATEWAY_URL=http://127.0.0.1:8080  GATEWAY_TOKEN=mcg_...
//
// It stores blocks, asks how many of them are there, reads one, and removes them.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

const blockBytes = 61 * (131072 + 16384)

// Problem is an error of the gateway (RFC 9457). Type ends with its name.
type Problem struct {
	Type      string `json:"type"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Retryable bool   `json:"retryable"`
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Name(), p.Detail) }

// Name is the last part of the type, for example "object-not-found".
func (p *Problem) Name() string { return path.Base(p.Type) }

// Gateway may be used by several goroutines.
type Gateway struct {
	URL      string
	Token    string
	Attempts int
	client   http.Client
}

// Put stores bytes under a new key. An object cannot be changed.
func (g *Gateway) Put(key string, value []byte) error {
	_, err := g.request(http.MethodPut, object(key), "application/octet-stream", value)
	return err
}

// Get returns the bytes of an object, and false if there is none.
func (g *Gateway) Get(key string) ([]byte, bool, error) {
	value, err := g.request(http.MethodGet, object(key), "", nil)
	var problem *Problem
	if errors.As(err, &problem) && problem.Name() == "object-not-found" {
		return nil, false, nil
	}
	return value, err == nil, err
}

// Remove removes an object.
func (g *Gateway) Remove(key string) error {
	_, err := g.request(http.MethodDelete, object(key), "", nil)
	return err
}

// Leading returns how many of the keys, from the first on, are there: the blocks that need no prefill.
func (g *Gateway) Leading(keys []string) (int, error) {
	body, err := json.Marshal(map[string]any{"keys": keys, "until": "missing"})
	if err != nil {
		return 0, err
	}
	answer, err := g.request(http.MethodPost, "/v1/batch/exists", "application/json", body)
	if err != nil {
		return 0, err
	}
	var found struct {
		Leading int `json:"leading"`
	}
	err = json.Unmarshal(answer, &found)
	return found.Leading, err
}

// object is the path of a key. A slash belongs to the key and needs no escape.
func object(key string) string {
	parts := strings.Split(key, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return "/v1/objects/" + strings.Join(parts, "/")
}

func (g *Gateway) request(method, path, kind string, body []byte) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		answer, problem, wait, err := g.once(method, path, kind, body)
		if err != nil {
			return nil, err
		}
		if problem == nil {
			return answer, nil
		}
		if !problem.Retryable || attempt >= g.Attempts {
			return nil, problem
		}
		time.Sleep(wait)
	}
}

func (g *Gateway) once(method, path, kind string, body []byte) ([]byte, *Problem, time.Duration, error) {
	request, err := http.NewRequest(method, g.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, 0, err
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	if g.Token != "" {
		request.Header.Set("Authorization", "Bearer "+g.Token)
	}
	response, err := g.client.Do(request)
	if err != nil {
		return nil, nil, 0, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode < 300 {
		return answer, nil, 0, err
	}
	problem := new(Problem)
	if err := json.Unmarshal(answer, problem); err != nil {
		return nil, nil, 0, err
	}
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil {
		seconds = 1
	}
	return nil, problem, time.Duration(seconds) * time.Second, nil
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func run() error {
	gateway := &Gateway{
		URL:      setting("GATEWAY_URL", "http://127.0.0.1:8080"),
		Token:    os.Getenv("GATEWAY_TOKEN"),
		Attempts: 4,
	}
	var keys []string
	for block := 0; block < 4; block++ {
		keys = append(keys, fmt.Sprintf("guides/go/%d/%d", os.Getpid(), block))
	}
	block := make([]byte, blockBytes)
	if _, err := rand.Read(block); err != nil {
		return err
	}
	for _, key := range keys[:3] {
		if err := gateway.Put(key, block); err != nil {
			return err
		}
	}
	fmt.Printf("stored %d blocks of %d bytes\n", len(keys)-1, len(block))
	leading, err := gateway.Leading(keys)
	if err != nil {
		return err
	}
	fmt.Printf("%d of %d blocks are there\n", leading, len(keys))
	fetched, _, err := gateway.Get(keys[0])
	if err != nil {
		return err
	}
	if !bytes.Equal(fetched, block) {
		return errors.New("the bytes differ")
	}
	fmt.Println("the bytes are equal")
	_, found, err := gateway.Get(keys[3])
	if err != nil {
		return err
	}
	fmt.Printf("a missing block: %t\n", found)
	for _, key := range keys[:3] {
		if err := gateway.Remove(key); err != nil {
			return err
		}
	}
	fmt.Println("removed the blocks")
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
