// gorilla_client.go: the cases of peers/README.md by Go's gorilla/websocket. What it writes leaves in frames of 1,024 bytes,
// compressed.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/gorilla/websocket"
)

var chatURL, echoURL = os.Args[1], os.Args[2]
var roots = x509.NewCertPool()

func connect(url string) (*websocket.Conn, error) {
	dialer := websocket.Dialer{EnableCompression: true, WriteBufferSize: 1024, TLSClientConfig: &tls.Config{RootCAs: roots}}
	socket, answer, err := dialer.Dial(url, nil)
	if err == nil && !strings.Contains(answer.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
		return nil, errors.New("deflate was not negotiated")
	}
	return socket, err
}

func chat() error {
	socket, err := connect(chatURL)
	if err != nil {
		return err
	}
	defer socket.Close()
	if err := socket.WriteJSON(map[string]string{"type": "login", "name": "Ana"}); err != nil {
		return err
	}
	for said := map[string]interface{}{}; said["type"] != "login"; {
		said = map[string]interface{}{}
		if err := socket.ReadJSON(&said); err != nil {
			return err
		}
	}
	for number := 0; number < 5; number++ {
		content := fmt.Sprintf("hello %d", number)
		if err := socket.WriteJSON(map[string]string{"type": "say", "to_uid": "all", "content": content}); err != nil {
			return err
		}
		said := map[string]interface{}{}
		if err := socket.ReadJSON(&said); err != nil {
			return err
		}
		if said["type"] != "say" || said["content"] != content {
			text, _ := json.Marshal(said)
			return fmt.Errorf("heard %s", text)
		}
	}
	return nil
}

func echo(socket *websocket.Conn, kind int, message []byte) error {
	if err := socket.WriteMessage(kind, message); err != nil {
		return err
	}
	gotKind, got, err := socket.ReadMessage()
	if err == nil && (gotKind != kind || !bytes.Equal(got, message)) {
		err = errors.New("another message came back")
	}
	return err
}

func alike() error {
	socket, err := connect(echoURL)
	if err != nil {
		return err
	}
	defer socket.Close()
	for number := 0; number < 5 && err == nil; number++ {
		text := fmt.Sprintf("message %d: ", number) + strings.Repeat("the same words again and again, ", 60)
		err = echo(socket, websocket.TextMessage, []byte(text))
	}
	return err
}

func big() error {
	socket, err := connect(echoURL)
	if err != nil {
		return err
	}
	defer socket.Close()
	text := strings.Builder{}
	for number := 0; number < 40000; number++ {
		fmt.Fprintf(&text, "%d ñ€😀 ", number)
	}
	if err := echo(socket, websocket.TextMessage, []byte(text.String())); err != nil {
		return err
	}
	data := make([]byte, 768000)
	for at := range data {
		data[at] = byte(at * at >> 8)
	}
	return echo(socket, websocket.BinaryMessage, data)
}

func fragments() error {
	socket, err := connect(echoURL)
	if err != nil {
		return err
	}
	defer socket.Close()
	socket.EnableWriteCompression(false)
	return echo(socket, websocket.TextMessage, []byte(strings.Repeat("a€", 5000)))
}

// Reads until the Close of the server, which has to have this code and reason.
func closed(socket *websocket.Conn, code int, reason string) error {
	_, _, err := socket.ReadMessage()
	if end, ok := err.(*websocket.CloseError); ok && end.Code == code && end.Text == reason {
		return nil
	}
	return fmt.Errorf("%v instead of a Close", err)
}

func leaves() error {
	socket, err := connect(echoURL)
	if err != nil {
		return err
	}
	defer socket.Close()
	if err := echo(socket, websocket.TextMessage, []byte("before")); err != nil {
		return err
	}
	if err := socket.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "gorilla")); err != nil {
		return err
	}
	return closed(socket, 4001, "")
}

func sentAway() error {
	socket, err := connect(echoURL)
	if err != nil {
		return err
	}
	defer socket.Close()
	if err := socket.WriteMessage(websocket.TextMessage, []byte("send me away")); err != nil {
		return err
	}
	return closed(socket, 4005, "away")
}

func main() {
	text, err := os.ReadFile(os.Args[3])
	if err != nil || !roots.AppendCertsFromPEM(text) {
		fmt.Println("no certificates in", os.Args[3])
		os.Exit(1)
	}
	for _, one := range []struct {
		name string
		run  func() error
	}{{"chat", chat}, {"alike", alike}, {"big", big}, {"fragments", fragments}, {"leaves", leaves}, {"sent_away", sentAway}} {
		if err := one.run(); err != nil {
			fmt.Println(one.name, "failed:", err)
		} else {
			fmt.Println(one.name, "ok")
		}
	}
}
