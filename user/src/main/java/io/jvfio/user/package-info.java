/** vfio-user: clients of devices behind UNIX sockets, servers of device models, and wire tools. */
package io.jvfio.user;
