// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * Mapped device memory, and how it becomes {@link Registers}: as a constant.
 *
 * <p>After every opaque access the compiler must assume that all fields have changed. With the
 * segment in a field of an object it loads and checks it again for each register: bounds, lifetime,
 * owner, which takes three times as long as C's volatile access. Where the segment is a constant of
 * the class all but the lifetime is known when the code is compiled. So each mapping gets a hidden
 * class of its own, with {@link MappedRegisters} as the template; it goes with its only object.
 *
 * @param registers the memory
 * @param lifetime ends access to it, in all threads
 * @param order of the accesses
 */
record RegisterMapping(MemorySegment registers, Arena lifetime, RegisterOrder order) {
  private static final byte[] TEMPLATE = template();

  /** The registers at {@code address}. The caller vouches for the mapping until they are closed. */
  static Registers at(long address, long byteSize, RegisterOrder order) {
    var lifetime = Arena.ofShared();
    var mapping =
        new RegisterMapping(NativeMemory.at(address, byteSize, lifetime), lifetime, order);
    try {
      var lookup = MethodHandles.lookup().defineHiddenClassWithClassData(TEMPLATE, mapping, true);
      var constructor =
          lookup.findConstructor(lookup.lookupClass(), MethodType.methodType(void.class));
      return (Registers) constructor.invoke();
    } catch (Throwable t) {
      throw new AssertionError("the template of registers cannot be used", t);
    }
  }

  private static byte[] template() {
    try (var in = RegisterMapping.class.getResourceAsStream("MappedRegisters.class")) {
      if (in == null) {
        throw new AssertionError("the template of registers is not there");
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
