// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every call of {@link Kernel}, found by reflection: a new one is in these tests by itself. */
class ForwardingKernelTest {
  /** What consists of other calls, in any kernel. */
  private static final List<String> COMPOSED =
      List.of(
          "open(String,int)",
          "registers(long,long)",
          "readText(String)",
          "readBytes(String)",
          "eventFdFlags(int)",
          "isWritable(int)");

  private static final Map<Class<?>, Object> SAMPLES =
      Map.of(
          int.class,
          7,
          long.class,
          8L,
          boolean.class,
          true,
          String.class,
          "path",
          int[].class,
          new int[3],
          MemorySegment.class,
          MemorySegment.ofAddress(16),
          Arena.class,
          Arena.global(),
          Ioctl.class,
          new Ioctl("SAMPLE", 1, 2),
          RegisterOrder.class,
          RegisterOrder.PLAIN);

  private static final Map<Class<?>, Object> RESULTS =
      Map.of(
          int.class,
          -11,
          long.class,
          -12L,
          String.class,
          "target",
          List.class,
          List.of("name"),
          Architecture.class,
          Architecture.RISCV64,
          MemorySegment.class,
          MemorySegment.ofAddress(32),
          Registers.class,
          proxy(Registers.class, (_, method, _) -> method.getName()),
          FileStatus.class,
          new FileStatus(true, 1, 2, 3, 4, false, 5, 6));

  private static <T> T proxy(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
  }

  private static String name(Method method) {
    return method.getName()
        + "("
        + String.join(",", Stream.of(method.getParameterTypes()).map(Class::getSimpleName).toList())
        + ")";
  }

  static Stream<Method> calls() {
    return Arrays.stream(Kernel.class.getMethods())
        .filter(method -> !Modifier.isStatic(method.getModifiers()))
        .filter(method -> !COMPOSED.contains(name(method)));
  }

  @ParameterizedTest
  @MethodSource("calls")
  void handsOnEveryCall(Method call) throws Exception {
    var made = new ArrayList<Object>();
    var target =
        proxy(
            Kernel.class,
            (_, method, arguments) -> {
              made.add(method);
              made.addAll(arguments == null ? List.of() : List.of(arguments));
              return RESULTS.get(method.getReturnType());
            });
    var arguments = Stream.of(call.getParameterTypes()).map(SAMPLES::get).toArray();

    var answer = call.invoke(new ForwardingKernel(target) {}, arguments);

    var expected = new ArrayList<Object>();
    expected.add(call);
    expected.addAll(Arrays.asList(arguments));
    assertThat(made).isEqualTo(expected);
    assertThat(answer).isNotNull().isSameAs(RESULTS.get(call.getReturnType()));
  }

  @ParameterizedTest
  @MethodSource("calls")
  void theMachinesKernelHasEveryCall(Method call) throws Exception {
    var method = LinuxKernel.class.getMethod(call.getName(), call.getParameterTypes());
    assertThat(method.getDeclaringClass()).isEqualTo(LinuxKernel.class);
  }
}
