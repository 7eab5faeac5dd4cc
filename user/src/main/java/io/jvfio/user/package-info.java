/** vfio-user: devices behind UNIX sockets, and device models served to whoever connects. */
package io.jvfio.user;
