/** The GPIO card of libvfio-user's sample. */
package io.jvfio.model.gpio;
