// Tells Prometheus which pods to scrape. Debian builds its Prometheus without discovery in Kubernetes, so this runs
// beside it: once a second it asks the API server for the pods with a label, and when their addresses have changed it
// writes a file that Prometheus watches.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

type podList struct {
	Items []struct {
		Metadata struct{ Namespace, Name string }
		Status   struct{ Phase, PodIP string }
	}
}

type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

func main() {
	label := flag.String("label", "", "the label that a pod must have")
	port := flag.String("port", "", "the port to scrape")
	file := flag.String("file", "", "the file to write")
	flag.Parse()

	client, err := apiClient()
	if err != nil {
		log.Fatal(err)
	}
	// resourceVersion=0: any recent answer will do, so the API server takes it from memory.
	address := "https://" + net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")) +
		"/api/v1/pods?resourceVersion=0&labelSelector=" + url.QueryEscape(*label)

	var written []byte
	for ; ; time.Sleep(time.Second) {
		targets, err := discover(client, address, *port)
		if err == nil && !bytes.Equal(targets, written) {
			if err = replace(*file, targets); err == nil {
				written = targets
			}
		}
		if err != nil {
			log.Print(err) // the file stays as it was
		}
	}
}

func apiClient() (*http.Client, error) {
	certificate, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}, nil
}

// discover returns the file's content. Pods that are being deleted stay in it as long as they run: their last
// requests count too.
func discover(client *http.Client, address, port string) ([]byte, error) {
	token, err := os.ReadFile(account + "token") // replaced every hour
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API server answered %s", response.Status)
	}
	var pods podList
	if err := json.NewDecoder(response.Body).Decode(&pods); err != nil {
		return nil, err
	}
	targets := []target{}
	for _, pod := range pods.Items {
		if pod.Status.Phase == "Running" && pod.Status.PodIP != "" {
			targets = append(targets, target{
				Targets: []string{net.JoinHostPort(pod.Status.PodIP, port)},
				Labels:  map[string]string{"namespace": pod.Metadata.Namespace, "pod": pod.Metadata.Name},
			})
		}
	}
	return json.Marshal(targets)
}

// replace writes beside the file and renames, so that nobody reads half of it.
func replace(file string, content []byte) error {
	if err := os.WriteFile(file+".tmp", content, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".tmp", file)
}
