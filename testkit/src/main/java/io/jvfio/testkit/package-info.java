/** Device models that only tests of several modules need. */
package io.jvfio.testkit;
