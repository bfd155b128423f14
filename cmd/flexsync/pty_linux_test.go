package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"unsafe"
)

// openPTY opens a pseudo terminal of a size: the end of whoever looks at it,
// and the one of the program.
func openPTY(width, height int) (ours, theirs *os.File, err error) {
	ours, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			ours.Close()
		}
	}()
	control := func(request uintptr, arg unsafe.Pointer) {
		if err != nil {
			return
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, ours.Fd(), request, uintptr(arg)); errno != 0 {
			err = fmt.Errorf("ioctl %#x: %w", request, errno)
		}
	}
	var number, locked uint32
	size := [4]uint16{uint16(height), uint16(width)}
	control(syscall.TIOCGPTN, unsafe.Pointer(&number))
	control(syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	control(syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	if err != nil {
		return nil, nil, err
	}
	theirs, err = os.OpenFile("/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	return ours, theirs, err
}

// control makes the program's standard input its controlling terminal, so that
// Ctrl-C reaches it.
func control(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
}
